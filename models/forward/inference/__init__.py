"""From observations to estimates without survey labels (section 4.2 and 4.3).

inference       infer: search, finish in float64, minima, uncertainties
starts          where the search starts: types of the prior, extinction and parallax solved for each
search          the search for the lowest minimum, in two rounds
minima          which starts are worth following, which minima they found
fitting         stars fitted from given starts; fit_stars, the training's
bounds          the box that the solver stays in, with walls
uncertainty     Fisher information and its inverse (Eqs. 21 to 23)
"""

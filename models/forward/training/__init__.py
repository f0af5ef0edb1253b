"""A flux model learnt from stars with survey labels (section 3.2).

sample          the stars to learn from and those held out, read from the catalogue in one pass
training        train: flux model, prior, and the parts that are learnt after them
training_settings    ours and the paper's settings side by side
phases          which stars learn what, for how long and by which optimiser
flux_training   the phases, one after the other, on any set of bands
network_fit     one step of the network (Eq. 12)
training_stars  the stars with their parameters of the moment, read in blocks
joint_fit       what ends a phase of network and stars: both at their joint minimum
readout_step    Gauss-Newton steps of last layer and extinction curve with the stars eliminated
extinction_shape    the slope of xi, from reddened stars
gauge           steps along directions that no flux can tell apart
self_cleaning   which stars are at odds with the model that was learnt from them
star_descent    the paper's optimisers of the stars, for its schedule
linear_label_prior    labels as a prior in linear units
checkpoint      where a training stands, so that a killed one goes on
"""

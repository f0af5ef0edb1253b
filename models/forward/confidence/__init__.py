"""Which estimates can be trusted (section 4.4, Appendix B).

basic_cut       the paper's three conditions of a usable estimate (Eqs. 24 to 26)
features        what the confidence classifiers see of a star
confidence      the classifiers of teff, feh, logg at run time
calibration     reliability curves, and isotonic calibration of scores to frequencies
classifier_fit  how one classifier learns
domain          how unlike the training stars a star is
confidence_training    classifiers and domain at the end of a training, with their figures
"""

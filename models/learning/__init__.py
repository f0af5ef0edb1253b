"""How models learn and how good they are.

sample      which stars a version learns from, which are held out, by seed
training    the training loop, repeatable to the bit
versions    a version trained once and stored
evaluate    the scatter VAE beside principal components with as many numbers
"""

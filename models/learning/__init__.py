"""How models learn and how good they are.

sample      which stars a version learns from, which are held out, by seed
training    the training loop, repeatable to the bit
versions    a version trained once and stored
held_out    the stars that a stored version held out
progress    how far a training is, on stderr
options     options of the commands that train
"""

"""How good a version of the forward model is, on stars that it held out."""

"""What computes labels: one file a model, all behind one protocol, and the engine that runs them over a release.

Sits on catalog; imports neither ingest nor tap_service. torch is imported by the models and their numerics only, never by ``spec`` or
``registry``, so that a command that trains nothing starts fast.

    spec            what a model is: ModelSpec, Model, Predictions
    registry        name -> module, imported on use
    inputs          spectra as the models take them: normalised, masked, flagged
    scatter_vae     scatter variational autoencoder (Laroche & Speagle 2024)
    forward/        forward model of fluxes and its inversion (Zhang, Green & Rix 2023)
    numerics/       flux scale, principal components, latent refinement, batched least squares
    learning/       training sample, training loop, stars that were held out
    evaluation/     statistics of differences, figures, pages: what the evaluations of all models share
    running/        a model version applied to a release, chunk by chunk
    commands        kiel model
    model_commands  kiel model VERB MODEL: verbs that each model answers in its own way
    scatter_vae_evaluation  the scatter VAE beside principal components with as many numbers
    scatter_vae_commands    its own commands
"""

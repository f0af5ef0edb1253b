"""How people ask: the TAP service. Imports catalog only; no torch, no dask, no gaiaxpy."""

"""Running a model version over a release.

commands      kiel run create|work|status|show|validate|publish|withdraw
scheduling    which chunks go to which Dask worker, until none is left
run_batch     one chunk: claim, read, predict, write
validation    a finished run looked at before people see it
"""

"""Runs deployed Lambda zips: AWS's own `awslambdaric` in worker processes that talk to a small Runtime API.

`pool.WorkerPools.invoke` is the door; `spec.FunctionSpec` says what to run. Nothing of the host's working
tree or environment is visible to a function: see `layout` and `zygote`.
"""

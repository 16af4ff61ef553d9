"""Other programs for the same work, timed on the same GPU in the same run: `bin/bench peers`.

decode and prefill call the kernels of libsparkmla.so and of vLLM's wheel on the same inputs in one
process; engine gives vLLM the work that `bin/bench generate --json FILE` has timed. Needs a Hopper
GPU, and a Python with PyTorch for CUDA and vLLM (measured with 0.25.1), which whoever runs it
installs. The JVM is not needed here.
"""

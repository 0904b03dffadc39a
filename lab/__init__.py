"""The kernel lab: Debian's kernels booted under QEMU, with this checkout and a Python inside, one command in each."""

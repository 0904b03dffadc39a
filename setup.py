"""The one thing pyproject cannot say: how the optional C decoder is built."""

from glob import glob

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension(
            "ftracepy._fastparse._core",
            sources=sorted(glob("ftracepy/_fastparse/*.c") + glob("ftracepy/_fastparse/core/*.c")),
            include_dirs=["ftracepy/_fastparse", "ftracepy/_fastparse/core"],
            define_macros=[("Py_LIMITED_API", "0x030B0000")],
            extra_compile_args=["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror"],
            py_limited_api=True,
            optional=True,
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)

"""The one thing pyproject cannot say: how the optional C decoder is built."""

import os
from glob import glob

from setuptools import Extension, setup

HERE = "ftracepy/_fastparse"
macros: list[tuple[str, str | None]] = [("Py_LIMITED_API", "0x030B0000")]
if os.path.exists(f"{HERE}/bind_text.c"):
    macros.append(("FP_HAVE_TEXT", "1"))
# A user's newer compiler may know new warnings; those must not cost him the C decoder.
strict = ["-Wall", "-Wextra", "-Werror"] if os.environ.get("FTRACEPY_STRICT_C") else []

setup(
    ext_modules=[
        Extension(
            "ftracepy._fastparse._core",
            sources=sorted(glob(f"{HERE}/*.c") + glob(f"{HERE}/core/*.c")),
            depends=sorted(glob(f"{HERE}/*.h") + glob(f"{HERE}/core/*.h")),
            include_dirs=[HERE, f"{HERE}/core"],
            define_macros=macros,
            extra_compile_args=["-std=c11", "-O2", "-fvisibility=hidden", *strict],
            py_limited_api=True,
            optional=True,
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)

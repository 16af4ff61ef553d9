"""The C interface of libsparkmla.so for Python, its structures as its headers declare them."""

import ctypes
import os
import re

_HEADERS = os.path.join(os.path.dirname(__file__), "../../../main/cpp/include")
_TYPES = {"int32_t": ctypes.c_int32, "uint32_t": ctypes.c_uint32, "int64_t": ctypes.c_int64,
          "size_t": ctypes.c_size_t, "float": ctypes.c_float}


def _structure(name, header="spark_mla.h"):
    """The ctypes structure of a struct that a header declares."""
    with open(os.path.join(_HEADERS, header)) as file:
        text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.DOTALL)
    body = re.search(rf"typedef struct {name} {{(.*?)}}", text, re.DOTALL).group(1)
    fields = [(field, ctypes.c_void_p if pointer else _TYPES[kind])
              for kind, pointer, field in re.findall(r"(\w+) (\**)(\w+);", body)]
    return type(name, (ctypes.Structure,), {"_fields_": fields})


DecodeArguments = _structure("spark_mla_decode_args")
PrefillArguments = _structure("spark_mla_prefill_args")
ExpertsArguments = _structure("spark_mla_experts_args", "spark_mla_experts.h")


class Library:
    """libsparkmla.so, whose status codes become exceptions."""

    def __init__(self, path):
        self._library = ctypes.CDLL(os.path.abspath(path))
        self._library.spark_mla_status_string.restype = ctypes.c_char_p

    def call(self, function, arguments, *results):
        """Calls a function; results are ctypes values that it writes."""
        status = getattr(self._library, function)(
            ctypes.byref(arguments), *map(ctypes.byref, results))
        if status:
            raise RuntimeError(f"{function}: "
                               + self._library.spark_mla_status_string(status).decode())

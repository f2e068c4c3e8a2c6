import pytest

from car_retrieval.search import blas

WIDE = "fpu avx2 avx512f avx512bw avx512cd avx512dq avx512vl"


@pytest.mark.parametrize(
    ("machine", "flags", "before", "after"),
    [
        ("x86_64", WIDE, None, "SKYLAKEX"),
        ("x86_64", WIDE, "HASWELL", "HASWELL"),
        ("x86_64", "fpu avx2 avx512f", None, None),
        ("x86_64", None, None, None),
        ("aarch64", WIDE, None, None),
    ],
)
def test_kernels(tmp_path, monkeypatch, machine, flags, before, after):
    info = tmp_path / "cpuinfo"
    if flags:
        info.write_text(f"processor\t: 0\nmodel\t: 2\nflags\t\t: {flags}\nbugs\t:\n")
    environment = {} if before is None else {"OPENBLAS_CORETYPE": before}
    monkeypatch.setattr(blas, "CPU_INFO", info)
    monkeypatch.setattr(blas.platform, "machine", lambda: machine)
    monkeypatch.setattr(blas.os, "environ", environment)
    blas.prefer_wide_kernels()
    assert environment.get("OPENBLAS_CORETYPE") == after

"""Search: exact, LOPQ and faiss's compressed indexes, behind one small interface."""

from car_retrieval.search.blas import prefer_wide_kernels

prefer_wide_kernels()

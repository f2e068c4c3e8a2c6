"""Exact search, LOPQ and faiss indexes behind one interface."""

from car_retrieval.search.blas import prefer_wide_kernels

prefer_wide_kernels()

"""Locally optimised product quantisation (Kalantidis & Avrithis, CVPR 2014)."""

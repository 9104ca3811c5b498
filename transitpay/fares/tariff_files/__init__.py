"""Operators' published files read into tariffs; one module a format, all problems in one run."""

from transitpay.fares.tariff_files.problem import Parsed, Problem, SourceFile

__all__ = ["Parsed", "Problem", "SourceFile"]

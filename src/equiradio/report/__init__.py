"""Figures, overlays and pages: data in, picture or HTML out. No torch."""

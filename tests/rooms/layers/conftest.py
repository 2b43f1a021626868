"""Tests of forms lie one folder further down; this file lets them import what stands beside it."""

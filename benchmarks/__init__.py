"""Benchmarks of speed and quality: programs that print numbers, never tests."""

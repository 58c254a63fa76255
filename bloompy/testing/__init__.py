"""What tests of Bloom programs use. Needs hypothesis, which nothing else of bloompy imports."""

"""The nouns: plain data that every other layer shares; imports nothing of ours."""

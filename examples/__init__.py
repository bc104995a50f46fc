"""Graphs as their authors write them: nothing of Taskreel is imported here."""

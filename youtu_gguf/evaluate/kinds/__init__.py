"""Kinds of questions: how they are asked, and how answers are measured."""

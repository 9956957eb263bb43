"""What a person or a program sees: values in, words, rows and documents out. No decisions, no database.

words: times, distances, money. tables: rows as TSV or drawn. documents: the JSON shapes. The others are named after
what they show.
"""

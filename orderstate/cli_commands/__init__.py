"""The commands of the command line: parse, call, render, exit status. What one needs is imported inside it.

cli.py beside this folder is the root, with the table of all commands. call: one invocation. screen: what it prints on.
failing: every error. options: arguments and options that commands share. The others are named after their commands.
"""

"""Models where they are: in buckets, on servers, on a hub, in the store of Git LFS.

`reaching.reached` turns addresses into local paths, which all else takes for files; what is read of
them is fetched. `modellint.discovery.discover` finds the models among them, and
`modellint.engine.lint_file` lints one.
"""

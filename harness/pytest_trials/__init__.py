"""What the pytest plugin does, once a test asks for it.

`trials` is the fixture, `files` the tests of `*.trial.yaml`; both settle a trial from what was said
where (`options`, `naming`), have it carried out (`carrying`), and give a verdict (`found`), which
`reporting` and `telling` bring into pytest's own output.
"""

"""The part of the pytest plugin that every start of pytest loads (entry point): options, the marker, and the fixture `sim`.

It stands outside the package, as hypothesis' own does, since importing anything of `bloompy` imports the language and its engine.
What it does is in `bloompy.testing.plugin`, which is imported when a test needs it.
"""

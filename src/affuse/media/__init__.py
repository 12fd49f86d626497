"""One file -> waveform, frames, face crops, speech spans; nothing learns here."""

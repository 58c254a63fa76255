"""Pictures of programs and runs: as SVG, text and mermaid, drawn without outside help, every value escaped."""

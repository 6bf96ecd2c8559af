"""How numbers are shown: formats, figures and their text twins, shared by dashboard, report and terminal."""

"""The template in the hands of the real Astro CLI and a real container engine."""

"""The command, as a person runs it."""

import subprocess
import sys
import unittest


class CommandTest(unittest.TestCase):
    def run_command(self, *arguments):
        return subprocess.run([sys.executable, "-m", "postage", *arguments], capture_output=True, text=True)

    def test_price_of_a_parcel(self):
        self.assertEqual(self.run_command("DE", "1.5kg").stdout, "EUR 12.20\n")

    def test_wrong_usage_ends_2(self):
        self.assertEqual(self.run_command().returncode, 2)


if __name__ == "__main__":
    unittest.main()

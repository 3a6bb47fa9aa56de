// SPDX-License-Identifier: Apache-2.0
// HotNames.java - for SECONDS (its argument) in hotLeaf(), called by hotOuter().
public class HotNames {
	static int hotLeaf(int n, int seed) {
		int x = seed;
		for (int i = 0; i < n; i++)
			x = x * 1103515245 + 12345;
		return x;
	}

	static int hotOuter(int seed) {
		return hotLeaf(200000, seed) ^ hotLeaf(100000, seed + 1);
	}

	public static void main(String[] args) {
		long end = System.nanoTime() + (long)(1e9 * Double.parseDouble(args[0]));
		int sum = 0;
		while (System.nanoTime() < end)
			sum ^= hotOuter(sum);
		System.exit(sum == 1 ? 1 : 0);
	}
}

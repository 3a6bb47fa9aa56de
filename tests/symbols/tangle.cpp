/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tangle.cpp - C++ that compilers inline, clone, split and fold, for tests/symbols/run.
 */
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace
{

int twice(int x)
{
	return 2 * x;
}

template <typename T> struct cell {
	T value;
	explicit cell(T v) : value(v) {}
	T bent(T by) const { return value * by + twice(static_cast<int>(value)); }
};

} // namespace

namespace knots
{

template <typename T> struct rope {
	std::vector<T> parts;

	void add(const T &part)
	{
		if (parts.size() > 1000)
			throw std::length_error("rope of " + std::to_string(parts.size()));
		parts.push_back(part);
	}

	template <typename F> int sum(F weigh) const
	{
		int all = 0;

		for (const T &part : parts)
			all += weigh(part);
		return all;
	}
};

/* Two instances with the same code: linkers may fold them. */
__attribute__((noinline)) int untie(rope<int> &r)
{
	struct local {
		static int weigh(int x) { return x & 1 ? twice(x) : x; }
	};

	std::sort(r.parts.begin(), r.parts.end(), [](int a, int b) { return a > b; });
	return r.sum(local::weigh) + r.sum([](int x) { return cell<int>(x).bent(3); });
}

__attribute__((noinline)) std::string name_of(const std::map<std::string, int> &names, int at)
{
	for (const auto &entry : names) {
		if (entry.second == at)
			return entry.first + "!";
	}
	return std::string("?");
}

} // namespace knots

static std::map<std::string, int> all_names = { { "reef", 1 }, { "bowline", 2 } };

int main(int argc, char **)
{
	knots::rope<int> r;
	std::function<int(int)> f = [&](int x) { return x + argc; };
	int sum = 0;

	try {
		for (int i = 0; i < 200 * argc; i++)
			r.add(f(i) % 37);
		sum = knots::untie(r);
	} catch (const std::exception &e) {
		std::puts(e.what());
		std::abort();
	}
	return knots::name_of(all_names, sum % 3).size() > 100;
}

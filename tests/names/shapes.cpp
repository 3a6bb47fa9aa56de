/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shapes.cpp - names that have to be made readable: templates, overloads, an operator, a lambda.
 *
 * Each of the five does a fifth of the work.
 */
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <utility>

#define KEPT __attribute__((noinline, noclone))

namespace shapes
{

KEPT void spin(std::uint64_t loops)
{
	std::uint64_t x = loops;

	for (std::uint64_t i = 0; i < loops; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		asm volatile("" : "+r"(x));
	}
	asm volatile("" ::"r"(__builtin_frame_address(0)) : "memory");
}

template <typename T> struct box {
	T side;
	KEPT void measure(std::uint64_t loops) const
	{
		spin(loops);
		asm volatile("" ::"r"(this) : "memory");
	}
	KEPT void operator()(std::uint64_t loops) const
	{
		spin(loops);
		asm volatile("" ::"r"(this) : "memory");
	}
};

KEPT void churn(int, std::uint64_t loops)
{
	spin(loops);
	asm volatile("" ::: "memory");
}

KEPT void churn(const std::pair<int, double> &, std::uint64_t loops)
{
	spin(loops);
	asm volatile("" ::: "memory");
}

template <typename F> KEPT void twice(const F &f, std::uint64_t loops)
{
	f(loops);
	asm volatile("" ::: "memory");
}

} // namespace shapes

static double now()
{
	timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

int main(int argc, char **argv)
{
	const double end = now() + (argc == 3 ? std::atof(argv[2]) : 1);
	const shapes::box<int> integral = { 1 };
	const shapes::box<std::pair<int, double>> pairs = { { 1, 2 } };

	while (now() < end) {
		integral.measure(8000);
		pairs(8000);
		shapes::churn(1, 8000);
		shapes::churn(std::pair<int, double>(1, 2), 8000);
		shapes::twice(integral, 8000);
	}
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * measure COMMAND [ARGUMENT...]: runs it, and prints as one line of JSON what
 * it took, its threads and the children it waited for included. Ends as the
 * command did.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now_ms(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static double in_ms(struct timeval time)
{
	return (double)time.tv_sec * 1e3 + (double)time.tv_usec / 1e3;
}

int main(int count, char **arguments)
{
	const double start = now_ms();
	struct rusage usage;
	int status;
	pid_t child;

	if (count < 2) {
		fprintf(stderr, "usage: measure COMMAND [ARGUMENT...]\n");
		return 2;
	}
	child = vfork();
	if (child == 0) {
		execvp(arguments[1], arguments + 1);
		_exit(127);
	}
	if (child < 0 || wait4(child, &status, 0, &usage) < 0) {
		fprintf(stderr, "measure: %s: %s\n", arguments[1], strerror(errno));
		return 1;
	}
	printf("{\"wallMs\":%.3f,\"userMs\":%.3f,\"systemMs\":%.3f,\"maxResidentBytes\":%lld}\n",
	       now_ms() - start, in_ms(usage.ru_utime), in_ms(usage.ru_stime),
	       usage.ru_maxrss * 1024LL);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

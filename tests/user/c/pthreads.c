/* Sixty-four threads of a C library: mutexes, condition variables, barriers, thread-local storage, once, cancellation,
 * detached and joined. Each check prints `ok pthreads NAME`, or `FAIL pthreads NAME`, and the exit code is the number that failed. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 64, ROUNDS = 50 };

static int failed;

static void check(const char *name, int holds)
{
	printf("%s pthreads %s\n", holds ? "ok" : "FAIL", name);
	failed += !holds;
}

static pthread_t threads[THREADS];

static void run_all(void *(*work)(void *))
{
	for (long i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, work, (void *)i)) {
			check("pthread_create", 0);
			exit(1);
		}
}

static long join_all(void)
{
	long sum = 0;
	for (int i = 0; i < THREADS; i++) {
		void *result;
		pthread_join(threads[i], &result);
		sum += (long)result;
	}
	return sum;
}

/* Each has its own copy of a variable, and its own number. */
static __thread long own = 7;
static _Atomic int wrong_tls;
static pid_t tids[THREADS];

static void *use_tls(void *arg)
{
	long me = (long)arg;
	if (own != 7)
		wrong_tls++;
	tids[me] = syscall(SYS_gettid);
	for (int i = 0; i < ROUNDS; i++) {
		own += me;
		if (i % 8 == 0)
			sched_yield();
	}
	return (void *)(own - 7);
}

static void tls(void)
{
	run_all(use_tls);
	long want = 0;
	for (long i = 0; i < THREADS; i++)
		want += i * ROUNDS;
	long sum = join_all();
	int same = 0;
	for (int i = 0; i < THREADS; i++)
		for (int j = 0; j < i; j++)
			same += tids[i] == tids[j];
	check("thread-local storage", sum == want && !wrong_tls && own == 7);
	check("every thread has a number of its own", !same && tids[0] != getpid());
}

/* A counter behind a mutex, and one behind a process-shared one. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, shared_mutex;
static long counter, shared_counter;

static void *count(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&mutex);
		long seen = counter;
		if (i % 16 == 0)
			sched_yield();
		counter = seen + 1;
		pthread_mutex_unlock(&mutex);
		pthread_mutex_lock(&shared_mutex);
		shared_counter++;
		pthread_mutex_unlock(&shared_mutex);
	}
	return NULL;
}

static void mutexes(void)
{
	pthread_mutexattr_t attr;
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&shared_mutex, &attr);
	run_all(count);
	join_all();
	check("mutexes exclude", counter == THREADS * ROUNDS);
	check("process-shared mutexes exclude", shared_counter == THREADS * ROUNDS);
}

/* A bounded buffer: half of the threads fill it, half empty it. */
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER, emptied = PTHREAD_COND_INITIALIZER;
static long buffer[4], in_buffer;

static void *trade(void *arg)
{
	long me = (long)arg, sum = 0;
	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&mutex);
		if (me % 2) {
			while (in_buffer == 4)
				pthread_cond_wait(&emptied, &mutex);
			buffer[in_buffer++] = me;
			pthread_cond_signal(&filled);
		} else {
			while (in_buffer == 0)
				pthread_cond_wait(&filled, &mutex);
			sum += buffer[--in_buffer];
			pthread_cond_broadcast(&emptied);
		}
		pthread_mutex_unlock(&mutex);
	}
	return (void *)sum;
}

static void condition_variables(void)
{
	long want = 0;
	for (long i = 1; i < THREADS; i += 2)
		want += i * ROUNDS;
	run_all(trade);
	check("what is put in comes out", join_all() == want && in_buffer == 0);
}

static void timed_wait(void)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += 20000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&mutex);
	int error = pthread_cond_timedwait(&filled, &mutex, &until);
	pthread_mutex_unlock(&mutex);
	check("a wait ends in time", error == ETIMEDOUT);
}

/* Nobody is a round ahead of anybody. */
static pthread_barrier_t barrier;
static int rounds[THREADS];
static _Atomic int ahead, serial;

static void *meet(void *arg)
{
	long me = (long)arg;
	for (int i = 0; i < ROUNDS / 5; i++) {
		rounds[me] = i;
		if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
			serial++;
		for (int other = 0; other < THREADS; other++)
			ahead += rounds[other] != i;
		pthread_barrier_wait(&barrier);
	}
	return NULL;
}

static void barriers(void)
{
	pthread_barrier_init(&barrier, NULL, THREADS);
	run_all(meet);
	join_all();
	check("barriers hold everybody", !ahead && serial == ROUNDS / 5);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static _Atomic int initialised, torn;
static long pair[2];
static sem_t semaphore;

static void initialise(void)
{
	initialised++;
}

static void *read_and_write(void *arg)
{
	long me = (long)arg;
	pthread_once(&once, initialise);
	sem_wait(&semaphore);
	for (int i = 0; i < ROUNDS; i++) {
		if ((me + i) % 8 == 0) {
			pthread_rwlock_wrlock(&rwlock);
			pair[0]++;
			sched_yield();
			pair[1]++;
			pthread_rwlock_unlock(&rwlock);
		} else {
			pthread_rwlock_rdlock(&rwlock);
			torn += pair[0] != pair[1];
			pthread_rwlock_unlock(&rwlock);
		}
	}
	sem_post(&semaphore);
	return NULL;
}

static void other_locks(void)
{
	sem_init(&semaphore, 0, 5);
	run_all(read_and_write);
	join_all();
	int left;
	sem_getvalue(&semaphore, &left);
	check("once is once", initialised == 1);
	check("readers see no half of a write", !torn && pair[0] == THREADS * ROUNDS / 8 && left == 5);
}

/* A robust mutex whose owner is gone. */
static pthread_mutex_t robust;

static void *die_with_it(void *arg)
{
	pthread_mutex_lock(&robust);
	return NULL;
}

static void robust_mutex(void)
{
	pthread_mutexattr_t attr;
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&robust, &attr);
	pthread_create(&threads[0], NULL, die_with_it, NULL);
	pthread_join(threads[0], NULL);
	int first = pthread_mutex_lock(&robust);
	int made = pthread_mutex_consistent(&robust);
	pthread_mutex_unlock(&robust);
	check("a robust mutex tells of its owner's end", first == EOWNERDEAD && !made && !pthread_mutex_lock(&robust));
}

/* A signal to one thread runs its handler there. */
static _Atomic pid_t handled_by;
static _Atomic int asleep;

static void handler(int signal)
{
	handled_by = syscall(SYS_gettid);
}

static void *sleep_long(void *arg)
{
	asleep = syscall(SYS_gettid);
	while (!handled_by)
		usleep(1000);
	return NULL;
}

static void *sleep_for_ever(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static void signals(void)
{
	signal(SIGUSR1, handler);
	pthread_create(&threads[0], NULL, sleep_long, NULL);
	while (!asleep)
		sched_yield();
	pthread_kill(threads[0], SIGUSR1);
	pthread_join(threads[0], NULL);
	check("a thread's signal runs in the thread", handled_by == asleep && handled_by != getpid());
	pthread_create(&threads[0], NULL, sleep_for_ever, NULL);
	pthread_cancel(threads[0]);
	void *result;
	pthread_join(threads[0], &result);
	check("a thread can be cancelled", result == PTHREAD_CANCELED);
}

/* Ends of processes with threads. */
static void *leave_all(void *arg)
{
	exit(9);
}

static void *crash(void *arg)
{
	*(volatile int *)8 = 1;
	return NULL;
}

static int ended(void (*work)(void))
{
	int status;
	fflush(stdout);
	pid_t pid = fork();
	if (!pid) {
		signal(SIGSEGV, SIG_DFL);
		work();
		_exit(1);
	}
	waitpid(pid, &status, 0);
	return status;
}

static void start(void *(*work)(void *), int sleepers)
{
	for (int i = 0; i < sleepers; i++)
		pthread_create(&threads[i], NULL, sleep_for_ever, NULL);
	pthread_create(&threads[sleepers], NULL, work, NULL);
	sleep_for_ever(NULL);
}

static void exits(void)
{
	start(leave_all, 8);
}

static void crashes(void)
{
	start(crash, 8);
}

static void *leave_late(void *arg)
{
	usleep(10000);
	_exit(4);
}

static void first_leaves(void)
{
	pthread_create(&threads[0], NULL, leave_late, NULL);
	pthread_exit(NULL);
}

static void *exec_other(void *arg)
{
	char *args[] = { "pthreads", "exec", NULL };
	if (syscall(SYS_gettid) == getpid())
		_exit(2);
	execv("/proc/self/exe", args);
	_exit(3);
}

static void execs(void)
{
	start(exec_other, 8);
}

static void ends(void)
{
	check("exit ends every thread", ended(exits) == 9 << 8);
	check("a crash ends every thread", (ended(crashes) & 0x7f) == SIGSEGV);
	check("a process goes on without its first thread", ended(first_leaves) == 4 << 8);
	check("exec leaves one thread with the process's number", ended(execs) == 6 << 8);
}

static void *nothing(void *arg)
{
	return arg;
}

static void many(void)
{
	int made = 0;
	for (int i = 0; i < 500; i++) {
		pthread_t thread;
		void *result;
		if (!pthread_create(&thread, NULL, nothing, &made) && !pthread_join(thread, &result))
			made += result == &made;
	}
	check("five hundred threads, one after the other", made == 500);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return syscall(SYS_gettid) == getpid() ? 6 : 7;
	tls();
	mutexes();
	condition_variables();
	timed_wait();
	barriers();
	other_locks();
	robust_mutex();
	signals();
	many();
	ends();
	return failed;
}

package dev.sparkmla.compute.cpu;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;

/**
 * A fixed number of threads that share an operation's tasks, the calling thread among them. Which
 * thread takes which task is left to chance, so a task's result must not depend on it.
 */
final class Workers implements AutoCloseable {
  /** A part of an operation. */
  interface Task {
    /** Computes part {@code index} with the thread's own memory. */
    void run(int index, Scratch scratch);
  }

  private final List<Thread> threads = new ArrayList<>();
  private final List<Scratch> scratches = new ArrayList<>();
  private final LinkedBlockingQueue<Job> jobs = new LinkedBlockingQueue<>();

  Workers(int count, HostMemory memory) {
    for (int i = 0; i < count; i++) {
      Scratch scratch = new Scratch(memory);
      scratches.add(scratch);
      if (i > 0) {
        Thread thread = new Thread(() -> serve(scratch), "mla-cpu-" + i);
        thread.setDaemon(true);
        thread.start();
        threads.add(thread);
      }
    }
  }

  private void serve(Scratch scratch) {
    try {
      while (true) {
        jobs.take().work(scratch);
      }
    } catch (InterruptedException closed) {
      // The backend is closed.
    }
  }

  /** Threads that share the tasks, the calling one among them. */
  int count() {
    return scratches.size();
  }

  /**
   * Runs tasks 0 to {@code tasks - 1} and returns when all have ended; throws what the first that
   * failed threw.
   */
  void run(int tasks, Task task) {
    Job job = new Job(task, tasks);
    int helpers = Math.min(threads.size(), tasks - 1);
    for (int i = 0; i < helpers; i++) {
      jobs.add(job);
    }
    job.work(scratches.get(0));
    job.await();
  }

  @Override
  public void close() {
    threads.forEach(Thread::interrupt);
    boolean interrupted = false;
    for (Thread thread : threads) {
      while (thread.isAlive()) {
        try {
          thread.join();
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
    scratches.forEach(Scratch::close);
  }

  private static final class Job {
    private final Task task;
    private final int tasks;
    private final AtomicInteger next = new AtomicInteger();
    private final CountDownLatch running;
    private final AtomicReference<Throwable> failure = new AtomicReference<>();

    Job(Task task, int tasks) {
      this.task = task;
      this.tasks = tasks;
      this.running = new CountDownLatch(tasks);
    }

    void work(Scratch scratch) {
      for (int index = next.getAndIncrement(); index < tasks; index = next.getAndIncrement()) {
        try {
          task.run(index, scratch);
        } catch (RuntimeException | Error e) {
          failure.compareAndSet(null, e);
        } finally {
          running.countDown();
        }
      }
    }

    void await() {
      boolean interrupted = false;
      while (true) {
        try {
          running.await();
          break;
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
      Throwable thrown = failure.get();
      if (thrown instanceof RuntimeException exception) {
        throw exception;
      } else if (thrown != null) {
        throw (Error) thrown;
      }
    }
  }
}

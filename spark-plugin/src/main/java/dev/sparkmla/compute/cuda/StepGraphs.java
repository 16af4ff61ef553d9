package dev.sparkmla.compute.cuda;

import dev.sparkmla.compute.Forward;
import dev.sparkmla.cuda.CudaException;
import dev.sparkmla.cuda.CudaFatalException;
import dev.sparkmla.cuda.CudaGraph;
import dev.sparkmla.cuda.CudaStream;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Steps that only decode, recorded as graphs, one for each shape. The first step of a shape is
 * computed plainly, so that whatever it needs is allocated and loaded; when that went well, the
 * second is recorded, and from then on the recording is repeated. A recording saves time and
 * nothing else: a step that cannot be recorded is computed plainly, and so is the next of its
 * shape.
 *
 * <p>There are at most {@value #MOST_RECORDINGS} recordings; a new one takes the place of the one
 * that was used longest ago. Each takes device memory, more with every operation that a step
 * enqueues. {@link #reserve} therefore makes all of them beforehand, of the largest step, so that
 * this memory is not given to anything else. All are closed before the first step is recorded. If
 * only one were, the driver would begin each repetition of the recording that takes its place late:
 * 0.2 to 0.6 ms after the step before has ended, on an H100.
 */
final class StepGraphs implements AutoCloseable {
  static final int MOST_RECORDINGS = 32;

  private static final int MOST_COMPUTED = 1024;
  private static final Logger LOGGER = LoggerFactory.getLogger(StepGraphs.class);

  /** Records work instead of doing it. */
  interface Recorder {
    /**
     * Records what {@code work} enqueues.
     *
     * @throws CudaException where it cannot be recorded; nothing is enqueued then
     */
    Recording record(Runnable work);

    /** Records what is enqueued on a stream as a graph. */
    static Recorder of(CudaStream stream) {
      return work -> new RecordedGraph(CudaGraph.capture(stream, work), stream);
    }
  }

  /** Work that was recorded. */
  interface Recording extends AutoCloseable {
    /** Enqueues the work. */
    void repeat();

    /** Gives the memory back, once what was enqueued is done. */
    @Override
    void close();
  }

  private record RecordedGraph(CudaGraph graph, CudaStream stream) implements Recording {
    @Override
    public void repeat() {
      graph.launch(stream);
    }

    @Override
    public void close() {
      stream.synchronize();
      graph.close();
    }
  }

  private record Key(Forward forward, PlanLayout.Shape shape) {}

  private final Recorder recorder;
  private final Deque<Recording> reserved = new ArrayDeque<>();

  /** By the time of their last use, the longest ago first. */
  private final Map<Key, Recording> recorded = new LinkedHashMap<>(16, 0.75f, true);

  /** What was computed plainly and is recorded the next time, the oldest first. */
  private final Set<Key> computed = new LinkedHashSet<>();

  StepGraphs(Recorder recorder) {
    this.recorder = recorder;
  }

  /** Computes a step whose plan is on the device. */
  void run(CudaPlan plan, Forward forward) {
    Runnable work = work(plan, forward);
    if (!plan.layout().onlyDecodes()) {
      work.run();
      return;
    }
    Key key = new Key(forward, plan.layout().shape());
    Recording recording = recorded.get(key);
    if (recording != null) {
      recording.repeat();
    } else if (computed.remove(key)) {
      recordAndRun(key, work);
    } else {
      work.run();
      rememberComputed(key);
    }
  }

  private static Runnable work(CudaPlan plan, Forward forward) {
    return () -> {
      plan.begin();
      forward.compute(plan);
    };
  }

  private void rememberComputed(Key key) {
    if (computed.size() == MOST_COMPUTED) {
      removeFirst(computed.iterator());
    }
    computed.add(key);
  }

  private void recordAndRun(Key key, Runnable work) {
    makeRoom();
    try {
      recorded.put(key, recorder.record(work));
      recorded.get(key).repeat();
    } catch (CudaFatalException lost) {
      throw lost;
    } catch (CudaException failed) {
      if (recorded.containsKey(key)) {
        recorded.remove(key).close();
      }
      LOGGER.warn("A step of {} is computed without a graph: {}", key.shape(), failed.getMessage());
      work.run();
    }
  }

  private void makeRoom() {
    closeReserved();
    if (recorded.size() == MOST_RECORDINGS) {
      removeFirst(recorded.values().iterator()).close();
    }
  }

  private void closeReserved() {
    while (!reserved.isEmpty()) {
      reserved.pop().close();
    }
  }

  private static <T> T removeFirst(Iterator<T> all) {
    T first = all.next();
    all.remove();
    return first;
  }

  /**
   * Makes as many recordings as there may be, in the place of all that there are. They hold the
   * memory until the first step is recorded.
   *
   * @param plan on the device, the largest step that will be recorded
   */
  void reserve(CudaPlan plan, Forward forward) {
    close();
    while (reserved.size() < MOST_RECORDINGS) {
      reserved.push(recorder.record(work(plan, forward)));
      reserved.peek().repeat();
    }
  }

  /** Forgets the recorded steps, since addresses have changed. */
  void forget() {
    computed.clear();
    recorded.values().forEach(Recording::close);
    recorded.clear();
  }

  @Override
  public void close() {
    forget();
    closeReserved();
  }
}

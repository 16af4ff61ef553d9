package dev.sparkmla.compute.cuda;

import dev.sparkmla.compute.Resources;
import dev.sparkmla.cuda.CudaEvent;
import dev.sparkmla.cuda.CudaStream;
import dev.sparkmla.cuda.DeviceBuffer;
import dev.sparkmla.cuda.DeviceTensor;
import dev.sparkmla.cuda.ElementType;
import dev.sparkmla.cuda.LogprobsLayout;
import dev.sparkmla.cuda.PinnedBuffer;
import java.nio.IntBuffer;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.function.IntFunction;
import java.util.function.LongFunction;

/**
 * Where steps' plans and tokens cross between host and device. The device has one place for the
 * plan of the step that runs and one for the tokens that the last step sampled, with the positions
 * of constrained rows in their automata and log probabilities behind them; the host has a slot for
 * each plan that is open. Copies are enqueued in the order of the steps.
 */
final class PlanMemory implements AutoCloseable {
  private static final int FIRST_WORDS = 1 << 20;
  private static final int FIRST_TOKENS = 1 << 12;
  private static final int SMALLEST_SLOT = 1 << 16;

  /** Words of every place before the log probabilities of the first: tokens and positions. */
  private static final int LOGPROBS_AFTER = 3;

  /** Of a sampled row: its token, two words for its position, and its log probabilities. */
  private static final int SAMPLED_WORDS = LOGPROBS_AFTER + LogprobsLayout.WORDS;

  private final LongFunction<DeviceBuffer> deviceMemory;
  private final IntFunction<PinnedBuffer> hostMemory;
  private final CudaStream stream;
  private final Runnable moved;
  private final Resources slots = new Resources();
  private final Deque<Slot> free = new ArrayDeque<>();
  private DeviceBuffer plan;
  private DeviceBuffer tokens;

  /** A plan's side of the host: its words, and room for what comes back of its sampled rows. */
  final class Slot implements AutoCloseable {
    private PinnedBuffer buffer;
    private long resultsAt;
    private CudaEvent done;
    private boolean enqueued;

    /** Makes room, once the copies of before are done. Where it throws, the slot is as before. */
    private void prepare(int words, int results) {
      if (enqueued) {
        done.synchronize();
        enqueued = false;
      }
      long needed = Integer.BYTES * ((long) words + results);
      if (buffer == null || buffer.bytes().capacity() < needed) {
        PinnedBuffer larger = hostMemory.apply(roomFor(needed));
        if (buffer != null) {
          buffer.close();
        }
        buffer = larger;
      }
      resultsAt = (long) Integer.BYTES * words;
    }

    private static int roomFor(long bytes) {
      return Math.toIntExact(
          Math.max(SMALLEST_SLOT, Math.min(2 * bytes, Math.max(bytes, 1L << 30))));
    }

    /** The plan's words. */
    IntBuffer words() {
      return buffer.bytes().asIntBuffer();
    }

    /** Marks the point after the copies that were enqueued. */
    private void enqueued() {
      if (done == null) {
        done = stream.context().newEvent();
      }
      done.record(stream);
      enqueued = true;
    }

    /** Waits for the words that came back of a step whose copies were enqueued. */
    int[] await(int count) {
      done.synchronize();
      int[] results = new int[count];
      buffer.bytes().position((int) resultsAt).asIntBuffer().get(results);
      return results;
    }

    @Override
    public void close() {
      if (buffer != null) {
        buffer.close();
      }
      if (done != null) {
        done.close();
      }
    }
  }

  /**
   * Takes the first memory on the device.
   *
   * @param deviceMemory allocates so many bytes on the device
   * @param hostMemory allocates so many bytes of page-locked memory on the host
   * @param moved is called when addresses change, while nothing is running
   */
  PlanMemory(
      LongFunction<DeviceBuffer> deviceMemory,
      IntFunction<PinnedBuffer> hostMemory,
      CudaStream stream,
      Runnable moved) {
    this.deviceMemory = deviceMemory;
    this.hostMemory = hostMemory;
    this.stream = stream;
    this.moved = moved;
    this.plan = deviceMemory.apply((long) FIRST_WORDS * Integer.BYTES);
    try {
      this.tokens = deviceMemory.apply(bytes((long) SAMPLED_WORDS * FIRST_TOKENS));
    } catch (RuntimeException | Error e) {
      plan.close();
      throw e;
    }
  }

  /**
   * A slot with room for a plan; its copies of before are done.
   *
   * @param words of the plan
   * @param results words that come back
   */
  Slot take(int words, int results) {
    Slot slot = free.isEmpty() ? slots.own(new Slot()) : free.pop();
    try {
      slot.prepare(words, results);
      return slot;
    } catch (RuntimeException | Error e) {
      free.push(slot);
      throw e;
    }
  }

  void giveBack(Slot slot) {
    free.push(slot);
  }

  /** Number of slots that are free, for tests. */
  int freeSlots() {
    return free.size();
  }

  /** Makes room on the device. Where it throws, everything is as before. */
  void reserve(long words, long sampled) {
    DeviceBuffer largerPlan = plan;
    DeviceBuffer largerTokens = tokens;
    try {
      if (plan.bytes() < bytes(words)) {
        largerPlan = deviceMemory.apply(bytes(words));
      }
      if (places() < sampled) {
        // The step before may have left tokens and positions that the next one goes on with.
        largerTokens = deviceMemory.apply(bytes(SAMPLED_WORDS * (sampled + 1)));
        largerTokens.copyFromDevice(0, tokens, 0, bytes(places()), stream);
        largerTokens.copyFromDevice(
            bytes(places(largerTokens)), tokens, bytes(places()), bytes(2 * places()), stream);
      }
      if (largerPlan == plan && largerTokens == tokens) {
        return;
      }
      stream.synchronize();
      moved.run();
    } catch (RuntimeException | Error e) {
      replace(largerPlan, plan);
      replace(largerTokens, tokens);
      throw e;
    }
    replace(plan, largerPlan);
    replace(tokens, largerTokens);
    plan = largerPlan;
    tokens = largerTokens;
  }

  /** Sampled rows that there is room for. */
  private long places() {
    return places(tokens);
  }

  /** An even number, so that positions are aligned. */
  private static long places(DeviceBuffer tokens) {
    return tokens.bytes() / bytes(SAMPLED_WORDS) / 2 * 2;
  }

  private static long bytes(long words) {
    return words * Integer.BYTES;
  }

  private static void replace(DeviceBuffer old, DeviceBuffer kept) {
    if (old != kept) {
      old.close();
    }
  }

  /** Enqueues the copy of a plan to the device, where room is made for it, and as much to spare. */
  void upload(Slot slot, int words, int sampled) {
    if (plan.bytes() < bytes(words) || places() < sampled) {
      reserve(2L * words, 2L * sampled);
    }
    plan.copyFromPinned(0, slot.buffer, 0, bytes(words), stream);
    slot.enqueued();
  }

  /**
   * Enqueues the copy of what a step sampled to the host: its tokens, and behind them the log
   * probabilities where it reports them.
   */
  void download(Slot slot, int sampled, boolean reportsLogprobs) {
    if (sampled > 0) {
      tokens.copyToPinned(0, slot.buffer, slot.resultsAt, bytes(sampled), stream);
    }
    if (reportsLogprobs) {
      tokens.copyToPinned(
          bytes(LOGPROBS_AFTER * places()),
          slot.buffer,
          slot.resultsAt + bytes(sampled),
          bytes((long) LogprobsLayout.WORDS * sampled),
          stream);
    }
    slot.enqueued();
  }

  /** Integers of the plan on the device. */
  DeviceTensor words(int offset, long... shape) {
    return DeviceTensor.of(plan, (long) offset * Integer.BYTES, ElementType.INT32, shape);
  }

  /** All of the plan's memory on the device, as integers. */
  DeviceTensor words() {
    return plan.tensor(ElementType.INT32, plan.bytes() / Integer.BYTES);
  }

  /** The first tokens that the last step sampled. */
  DeviceTensor tokens(int count) {
    return tokens.tensor(ElementType.INT32, count);
  }

  /** Every place for a sampled token, also those that the last step left as they were. */
  DeviceTensor tokens() {
    return tokens.tensor(ElementType.INT32, places());
  }

  /** The positions of the rows that the last step sampled, int32 {@code [places, 2]}. */
  DeviceTensor positions() {
    return DeviceTensor.of(tokens, bytes(places()), ElementType.INT32, places(), 2);
  }

  /** The log probabilities of the rows that the last step sampled, int32 {@code [words]}. */
  DeviceTensor logprobs(int count) {
    return DeviceTensor.of(
        tokens,
        bytes(LOGPROBS_AFTER * places()),
        ElementType.INT32,
        (long) LogprobsLayout.WORDS * count);
  }

  /** Work that uses it must be done. */
  @Override
  public void close() {
    slots.close();
    plan.close();
    tokens.close();
  }
}

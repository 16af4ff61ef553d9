package dev.sparkmla.compute.cuda;

import dev.sparkmla.cuda.CudaContext;
import dev.sparkmla.cuda.CudaEvent;
import dev.sparkmla.cuda.CudaStream;
import dev.sparkmla.cuda.DeviceBuffer;
import dev.sparkmla.cuda.DeviceTensor;
import dev.sparkmla.cuda.ElementType;
import dev.sparkmla.cuda.PinnedBuffer;
import java.nio.IntBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * Where steps' plans and tokens cross between host and device. The device has one place for the
 * plan of the step that runs and one for the tokens that the last step sampled; the host has a slot
 * for each plan that is open. Copies are enqueued in the order of the steps.
 */
final class PlanMemory implements AutoCloseable {
  private static final int FIRST_WORDS = 1 << 20;
  private static final int FIRST_TOKENS = 1 << 12;

  private final CudaContext context;
  private final CudaStream stream;
  private final List<Slot> slots = new ArrayList<>();
  private final Deque<Slot> free = new ArrayDeque<>();
  private DeviceBuffer plan;
  private DeviceBuffer tokens;

  /** A plan's side of the host. */
  static final class Slot implements AutoCloseable {
    private final CudaEvent done;
    private PinnedBuffer words;
    private PinnedBuffer tokens;
    private boolean enqueued;

    private Slot(CudaContext context) {
      this.done = context.newEvent();
    }

    /** The plan's words. */
    IntBuffer words() {
      return words.bytes().asIntBuffer();
    }

    /** Waits for the tokens of a step whose copy was enqueued. */
    int[] await(int count) {
      done.synchronize();
      int[] sampled = new int[count];
      tokens.bytes().asIntBuffer().get(sampled);
      return sampled;
    }

    @Override
    public void close() {
      done.close();
      if (words != null) {
        words.close();
      }
      if (tokens != null) {
        tokens.close();
      }
    }
  }

  PlanMemory(CudaContext context, CudaStream stream) {
    this.context = context;
    this.stream = stream;
    this.plan = context.allocate((long) FIRST_WORDS * Integer.BYTES);
    try {
      this.tokens = context.allocate((long) FIRST_TOKENS * Integer.BYTES);
    } catch (RuntimeException | Error e) {
      plan.close();
      throw e;
    }
  }

  /** A slot with room for a plan; its copies of before are done. */
  Slot take(int words, int sampled) {
    Slot slot = free.poll();
    if (slot == null) {
      slot = new Slot(context);
      slots.add(slot);
    }
    if (slot.enqueued) {
      slot.done.synchronize();
      slot.enqueued = false;
    }
    slot.words = atLeast(slot.words, words);
    slot.tokens = atLeast(slot.tokens, sampled);
    return slot;
  }

  private PinnedBuffer atLeast(PinnedBuffer buffer, int words) {
    int bytes = Math.max(Integer.BYTES * words, 1 << 16);
    if (buffer != null && buffer.bytes().capacity() >= bytes) {
      return buffer;
    }
    if (buffer != null) {
      buffer.close();
    }
    return PinnedBuffer.allocate(context, Math.toIntExact(Math.min(2L * bytes, 1L << 30)));
  }

  void giveBack(Slot slot) {
    free.push(slot);
  }

  /**
   * Makes room on the device.
   *
   * @return whether addresses have changed; nothing is running then
   */
  boolean reserve(int words, int sampled) {
    long planBytes = (long) words * Integer.BYTES;
    long tokenBytes = (long) sampled * Integer.BYTES;
    if (plan.bytes() >= planBytes && tokens.bytes() >= tokenBytes) {
      return false;
    }
    stream.synchronize();
    if (plan.bytes() < planBytes) {
      plan.close();
      plan = context.allocate(2 * planBytes);
    }
    if (tokens.bytes() < tokenBytes) {
      // The step before may have left tokens that the next one goes on with.
      DeviceBuffer larger = context.allocate(2 * tokenBytes);
      larger.copyFromDevice(0, tokens, 0, tokens.bytes(), stream);
      stream.synchronize();
      tokens.close();
      tokens = larger;
    }
    return true;
  }

  /** Enqueues the copy of a plan to the device. */
  void upload(Slot slot, int words) {
    plan.copyFromPinned(0, slot.words, 0, (long) words * Integer.BYTES, stream);
    slot.done.record(stream);
    slot.enqueued = true;
  }

  /** Enqueues the copy of what a step sampled to the host. */
  void download(Slot slot, int sampled) {
    if (sampled > 0) {
      tokens.copyToPinned(0, slot.tokens, 0, (long) sampled * Integer.BYTES, stream);
    }
    slot.done.record(stream);
    slot.enqueued = true;
  }

  /** Integers of the plan on the device. */
  DeviceTensor words(int offset, long... shape) {
    return DeviceTensor.of(plan, (long) offset * Integer.BYTES, ElementType.INT32, shape);
  }

  /** The first tokens that the last step sampled. */
  DeviceTensor tokens(int count) {
    return tokens.tensor(ElementType.INT32, count);
  }

  /** Every place for a sampled token, also those that the last step left as they were. */
  DeviceTensor tokens() {
    return tokens.tensor(ElementType.INT32, tokens.bytes() / Integer.BYTES);
  }

  /** Work that uses it must be done. */
  @Override
  public void close() {
    slots.forEach(Slot::close);
    plan.close();
    tokens.close();
  }
}

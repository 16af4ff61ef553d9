package dev.sparkmla.arrow;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.RootAllocator;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/** Arrow memory for a test class. After each test nothing may be left in it. */
public final class ArrowMemory implements AfterEachCallback {
  private final RootAllocator allocator = new RootAllocator();

  /** Holds batches. */
  public BufferAllocator allocator() {
    return allocator;
  }

  /** Asks an engine for one row. Cancelling the future does not reach the engine. */
  public CompletableFuture<GenerationResult> submit(
      Batches.Engine engine, GenerationRequest request) {
    return Batches.submit(engine, allocator, request);
  }

  /** Asks an engine for a batch of rows. */
  public CompletableFuture<ResultBatch> submit(
      Batches.Engine engine, List<GenerationRequest> requests) {
    return Batches.submit(engine, Batches.of(allocator, requests));
  }

  @Override
  public void afterEach(ExtensionContext context) {
    assertThat(allocator.getAllocatedMemory()).as("Arrow bytes left").isZero();
  }
}

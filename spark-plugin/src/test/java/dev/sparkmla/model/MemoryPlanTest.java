package dev.sparkmla.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.ComputeBackends;
import dev.sparkmla.compute.ComputeException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.OptionalLong;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class MemoryPlanTest {
  private static final GoldenCheckpoint CHECKPOINT = GoldenCheckpoint.all().get(0);

  private static ComputeBackend processor;

  @BeforeAll
  static void open() {
    processor = ComputeBackends.cpu(2);
  }

  @AfterAll
  static void close() {
    processor.close();
  }

  /** The CPU backend, with so much memory free whenever it is asked, one number after the other. */
  private static ComputeBackend withFree(long... bytes) {
    Deque<Long> free =
        Arrays.stream(bytes).boxed().collect(Collectors.toCollection(ArrayDeque::new));
    return (ComputeBackend)
        Proxy.newProxyInstance(
            ComputeBackend.class.getClassLoader(),
            new Class<?>[] {ComputeBackend.class},
            (proxy, method, arguments) -> {
              if (method.getName().equals("freeMemory")) {
                return OptionalLong.of(free.remove());
              }
              try {
                return method.invoke(processor, arguments);
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            });
  }

  private static MlaTransformer load(ComputeBackend backend, int stepTokens) {
    return CHECKPOINT.load(backend, new CacheSize.MemoryFraction(0.5, stepTokens, 8));
  }

  @Test
  void givesTheCacheItsPartOfWhatIsLeft() {
    long block = ModelConfig.read(CHECKPOINT.folder()).cacheBlockBytes();
    for (int stepTokens : new int[] {1, 20, 100}) {
      try (MlaTransformer model = load(withFree(1L << 40, 1L << 39, 30 * block + 10), stepTokens)) {
        assertThat(model.cacheBlocks()).isEqualTo(15);
      }
    }
  }

  @Test
  void saysWhatWasNeededAndWhatThereWas() {
    assertThatThrownBy(() -> load(withFree(1000), 100))
        .isInstanceOf(ComputeException.class)
        .hasMessageContaining("the weights alone need");
    long block = ModelConfig.read(CHECKPOINT.folder()).cacheBlockBytes();
    assertThatThrownBy(() -> load(withFree(3_000_000_000L, 2_000_000_000L, 3 * block), 100))
        .isInstanceOf(ComputeException.class)
        .hasMessageContaining("of 3.00 GB free the weights took 1.00 GB")
        .hasMessageContaining("workspace of 100 tokens 2.00 GB")
        .hasMessageContaining("needs at least");
  }
}

package dev.sparkmla.plugin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.ComputeBackends;
import dev.sparkmla.compute.ComputeException;
import dev.sparkmla.engine.ModelFolder;
import dev.sparkmla.model.GoldenCheckpoint;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ModelGeneratorTest {
  private static final GoldenCheckpoint MODEL = GoldenCheckpoint.all().get(0);

  /** A backend on the processor, of which two operations fail: one of the load, and closing. */
  private static ComputeBackend failing(ComputeBackend processor, RuntimeException load) {
    return (ComputeBackend)
        Proxy.newProxyInstance(
            ComputeBackend.class.getClassLoader(),
            new Class<?>[] {ComputeBackend.class},
            (proxy, method, arguments) -> {
              if (method.getName().equals("allocateCache")) {
                throw load;
              }
              try {
                Object result = method.invoke(processor, arguments);
                if (method.getName().equals("close")) {
                  throw new IllegalStateException("closing fails too");
                }
                return result;
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            });
  }

  @Test
  void aFailedLoadReportsItsOwnCauseAndClosesWhatItOpened() {
    MlaConf conf = MlaConf.of(Map.of(MlaConf.MODEL_PATH.key(), MODEL.folder().toString()));
    ComputeException load = new ComputeException("no memory for a cache");
    ComputeBackend processor = ComputeBackends.cpu(2);
    try (ModelFolder folder = new ModelFolder(MODEL.folder())) {
      assertThatThrownBy(() -> ModelGenerator.open(conf, folder, () -> failing(processor, load)))
          .isSameAs(load)
          .satisfies(
              e ->
                  assertThat(e.getSuppressed())
                      .singleElement()
                      .satisfies(
                          closing ->
                              assertThat(closing).hasMessageContaining("closing fails too")));
      // The processor's own close has not complained of weights that are still held.
      assertThat(load.getSuppressed()[0]).hasRootCauseMessage("closing fails too");
    }
  }
}

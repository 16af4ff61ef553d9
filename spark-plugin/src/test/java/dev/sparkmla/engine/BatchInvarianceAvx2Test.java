package dev.sparkmla.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;

/**
 * Batch invariance over OpenBLAS's kernels for AVX2, whichever it chooses for this machine: of all
 * its kernels these alone compute a row otherwise in another place.
 */
@EnabledOnOs(architectures = {"amd64", "x86_64"})
class BatchInvarianceAvx2Test {
  private static final Set<Long> SEEDS = Set.of(11L, 13L);

  /** OpenBLAS reads its variable when it is loaded, so this needs a process. */
  @Test
  void everyRowIsComputedAsIfItWereAlone() throws IOException, InterruptedException {
    ProcessBuilder builder =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                BatchInvarianceAvx2Test.class.getName())
            .redirectErrorStream(true);
    builder.environment().put("OPENBLAS_CORETYPE", "Haswell");
    Process process = builder.start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(output).isZero();
  }

  /** Some of the processor's work; ends with another status than 0 where a row differs. */
  public static void main(String[] arguments) {
    BatchInvarianceTest test = new BatchInvarianceTest();
    test.loads()
        .filter(load -> SEEDS.contains(load.seed()))
        .forEach(test::everyRowIsComputedAsIfItWereAlone);
  }
}

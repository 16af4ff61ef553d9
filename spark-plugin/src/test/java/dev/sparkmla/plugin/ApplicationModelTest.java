package dev.sparkmla.plugin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sparkmla.engine.ModelFolder;
import dev.sparkmla.model.GoldenCheckpoint;
import dev.sparkmla.plugin.ApplicationModel.Side;
import dev.sparkmla.plugin.location.FolderPart;
import dev.sparkmla.plugin.location.ModelLocator;
import java.nio.file.Path;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.SparkConf;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ApplicationModelTest {
  private static final GoldenCheckpoint FIRST = GoldenCheckpoint.all().get(0);
  private static final GoldenCheckpoint SECOND = GoldenCheckpoint.all().get(1);

  private static final ModelLocator LOCATOR =
      new ModelLocator(Path.of("unused"), new Configuration(false), Map.of(), FolderPart.ALL);

  @AfterEach
  void stop() {
    ApplicationModel.stop(Side.DRIVER);
    ApplicationModel.stop(Side.EXECUTOR);
  }

  private static MlaConf conf(GoldenCheckpoint model) {
    return MlaConf.of(Map.of(MlaConf.MODEL_PATH.key(), model.folder().toString()));
  }

  @Test
  void bothSidesOfAnApplicationShareAFolderUntilTheLastStops() {
    assertThatThrownBy(ApplicationModel::folder)
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("spark.plugins");
    ApplicationModel.start(Side.DRIVER, conf(FIRST), LOCATOR);
    ModelFolder folder = ApplicationModel.folder();
    ApplicationModel.start(Side.EXECUTOR, conf(FIRST), LOCATOR);
    assertThat(ApplicationModel.folder()).isSameAs(folder);

    ApplicationModel.stop(Side.DRIVER);
    assertThat(folder.text().countTokens("one")).isPositive();
    ApplicationModel.stop(Side.EXECUTOR);
    assertThatThrownBy(folder::text).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(ApplicationModel::folder).isInstanceOf(IllegalStateException.class);
  }

  /** As after an executor's side that failed to start: Spark does not stop the driver's then. */
  @Test
  void anotherApplicationReplacesOneThatNobodyStopped() {
    ApplicationModel.start(Side.DRIVER, conf(FIRST), LOCATOR);
    ModelFolder folder = ApplicationModel.folder();

    ApplicationModel.start(Side.DRIVER, conf(SECOND), LOCATOR);

    assertThat(ApplicationModel.folder().path()).isEqualTo(SECOND.folder());
    assertThatThrownBy(folder::text).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void aSettingThatIsMissingIsNamed() {
    ApplicationModel.start(Side.DRIVER, MlaConf.of(Map.of()), LOCATOR);

    assertThatThrownBy(ApplicationModel::folder)
        .isInstanceOf(InvalidConfigurationException.class)
        .hasMessageContaining(MlaConf.MODEL_PATH.key());
  }

  @Test
  void isCalledByItsNameOrElseByItsPath() {
    SparkConf settings = new SparkConf(false);
    assertThat(ApplicationModel.name(settings)).isEmpty();
    settings.set(MlaConf.MODEL_PATH.key(), "/models/one");
    assertThat(ApplicationModel.name(settings)).contains("/models/one");
    settings.set(MlaConf.MODEL_NAME.key(), "the first");
    assertThat(ApplicationModel.name(settings)).contains("the first");
  }
}

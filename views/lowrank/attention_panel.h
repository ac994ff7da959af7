// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/base/parameter_schema.h"
#include "core/report/attention_map_report.h"
#include "views/attention/attention_map_view.h"
#include "views/attention/sample_picker.h"
#include "views/common/figure.h"

#include <QImage>
#include <QWidget>

#include <memory>
#include <vector>

class QComboBox;
class QLabel;
class QStackedWidget;
class QTabWidget;

namespace tamis::views {

class AttentionLens;
class AttentionMaps;
class CopyableTableView;
class ExportButton;
class HeadErrorView;
class HeadTableModel;
class LineChart;
class NoticeBar;
class ParameterEditor;
class PhotoModel;
class PlaceholderPanel;

/// The attention-map page: one head's exact map beside its approximation, where a query looks, what all heads lose, the planes' energies
/// and what becomes of the output. Everything here is chosen by the user and told as a signal; values come as reports.
class AttentionPanel : public QWidget {
    Q_OBJECT
public:
    explicit AttentionPanel(PhotoModel& photos, QWidget* parent = nullptr); ///< `photos` outlives the panel

    /// Sliders, choices and samples: for a place beside the panel, which may take it as its own.
    QWidget* settings() const { return m_settings; }

    /// Values are the schema's defaults.
    void setSchema(const ParameterSchema& schema);
    void setValues(const Parameters& values);
    Parameters values() const;
    void setPlanOffered(bool offered); ///< whether a plan's operators can be shown

    /// What the button over the samples says that openRequested() does.
    void setOpenAction(const QString& action);
    void setTexts(const std::vector<ListedText>& texts); ///< the samples are texts
    void setPhotos();                              ///< the samples are the photos of the model given to the constructor
    void setShownSample(int index);                ///< of texts, or of photos in the model's order; without a signal
    void setPhoto(const QImage& photo);            ///< what the model sees of the shown one

    /// Null: the empty state. A report that is not complete keeps what the last complete one said of all heads, marked as older.
    void setReport(std::shared_ptr<const report::AttentionMapReport> report);
    const std::shared_ptr<const report::AttentionMapReport>& report() const noexcept { return m_report; }
    void setEmptyState(const QString& title, const QString& text, const QString& action); ///< action: what openRequested() does; empty: no button
    void setStale(bool stale); ///< the settings are newer than the picture
    void setProblem(const QString& sentence); ///< empty: none

    int layer() const;
    int head() const;
    report::MapSource source() const;
    int query() const noexcept { return m_query; } ///< that the lens shows; -1: none
    AttentionMaps* maps() const { return m_maps; }
    AttentionLens* lens() const { return m_lens; }
    HeadErrorView* errors() const { return m_errors; }
    CopyableTableView* ranking() const { return m_ranking; }

signals:
    void shown(); ///< the page came into sight
    void valueEdited(const QString& name, const tamis::ParameterValue& value, bool finished);
    void headChosen(int layer, int head);
    void mapChosen(int map); ///< window of a windowed attention
    void sourceChosen(tamis::report::MapSource source);
    void sampleChosen(int index);
    void openRequested();
    void exportRequested(tamis::views::Figure* figure, tamis::views::FigureFormat format, const QString& name);

protected:
    void showEvent(QShowEvent* event) override;

private:
    void build();
    QWidget* buildBar();
    QWidget* buildParts();
    void buildSettings();
    void buildRanking();
    QWidget* buildPlanes();
    QWidget* buildBlocks();
    void connectParts();
    void connectChart(LineChart* chart, const QString& name);
    void chooseHead(int layer, int head);
    void pointQuery(int query);
    void chooseQuery(int query);
    void fillChoices();
    void showMaps();
    void showHeads();
    void showPlanes();
    void showEffects();
    void showSummary();
    QStringList tokenNames() const;
    QString sourceTitle() const;
    QString caption() const;
    void exportPart(FigureFormat format);
    void offerScale(ColorScale scale); ///< unless the user chose one

    PhotoModel& m_photos;
    std::shared_ptr<const report::AttentionMapReport> m_report, m_whole; ///< m_whole: the last complete one
    ParameterSchema m_schema;
    int m_query = -1, m_chosenQuery = -1;
    bool m_quiet = false, m_scaleChosen = false;

    QWidget* m_settings = nullptr;
    SamplePicker* m_samples = nullptr;
    QStackedWidget* m_pages = nullptr;
    PlaceholderPanel* m_empty = nullptr;
    NoticeBar* m_problem = nullptr;
    QComboBox *m_layer = nullptr, *m_head = nullptr, *m_window = nullptr, *m_source = nullptr, *m_scale = nullptr;
    QLabel *m_summary = nullptr, *m_badge = nullptr, *m_output = nullptr;
    ExportButton* m_mapExports = nullptr;
    AttentionMaps* m_maps = nullptr;
    AttentionLens* m_lens = nullptr;
    QTabWidget* m_tabs = nullptr;
    HeadErrorView* m_errors = nullptr;
    HeadTableModel* m_heads = nullptr;
    CopyableTableView* m_ranking = nullptr;
    LineChart *m_queryPlane = nullptr, *m_keyPlane = nullptr, *m_blocks = nullptr;
    ParameterEditor* m_editor = nullptr;
};

} // namespace tamis::views

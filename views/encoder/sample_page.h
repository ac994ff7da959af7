// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/encoder_tokens.h"
#include "views/common/figure.h"

#include <QImage>
#include <QWidget>

#include <cstdint>
#include <memory>
#include <vector>

class QCheckBox;
class QListWidget;
class QSpinBox;
class QStackedWidget;
class QTabWidget;
class QVBoxLayout;

namespace tamis::views {

class CopyableTableView;
class LatentSampleView;
class MissedLatentModel;
class PhotoLatentView;
class PhotoModel;
class PhotoStrip;
class PlaceholderPanel;
class TextLatentView;
class TokenLatentModel;

/// The photo or the text that the current token stands in: where one latent fires in it and where the encoder misses it. The latent is the token's
/// largest until another is chosen, from the token's latents or from those that are missed most. Below, all photos or pieces of text.
class SamplePage : public QWidget {
    Q_OBJECT
public:
    explicit SamplePage(QWidget* parent = nullptr);

    /// Null: nothing is known of where tokens stand. `photos`: what the model sees, one a sample; empty for texts.
    void setPlaces(std::shared_ptr<const report::TokenPlaces> places, const std::vector<QImage>& photos);
    void setEmptyState(const QString& text, const QString& action); ///< why there is no sample, and the word that brings some; empty action: none
    void setLatents(std::shared_ptr<const report::SampleLatents> latents); ///< of one sample; shown where that is the current token's
    void setReport(std::shared_ptr<const report::EncoderReport> report);   ///< for what is missed most; null: none
    void setToken(std::int64_t token); ///< no tokenChosen
    void setCut(std::int64_t cut);
    void setStale(bool stale);
    void setCaption(const QString& settings);

    std::int32_t latent() const; ///< that is shown; -1: none
    bool followsToken() const noexcept { return m_chosen < 0; } ///< no latent was chosen
    void chooseLatent(std::int32_t latent); ///< below 0: the token's largest
    LatentSampleView* view() const;  ///< of photos or of texts
    PhotoLatentView* photo() const { return m_photo; }
    TextLatentView* text() const { return m_text; }
    CopyableTableView* tokenTable() const { return m_tokenTable; }
    CopyableTableView* missedTable() const { return m_missedTable; }

signals:
    void tokenChosen(qlonglong token); ///< by the user
    void actionRequested();            ///< of the empty state
    /// `figure` lives until the slot returns.
    void exportRequested(tamis::views::Figure* figure, tamis::views::FigureFormat format, const QString& name);

private:
    void buildHead(QVBoxLayout* column);
    QWidget* buildTables();
    void buildSamples();
    void connectTables();
    void showSample();
    void showLatents();
    void showMissed();
    void goToSample(int sample);

    std::shared_ptr<const report::TokenPlaces> m_places;
    std::shared_ptr<const report::SampleLatents> m_latents;
    std::shared_ptr<const report::EncoderReport> m_report;
    std::vector<QImage> m_photos;
    std::int64_t m_token = 0, m_cut = 1;
    int m_sample = -1;          ///< of the current token; -1: none
    std::int32_t m_chosen = -1; ///< by the user; -1: the token's largest
    bool m_quiet = false;
    QSpinBox* m_latent;
    QCheckBox* m_follow;
    QStackedWidget *m_stack, *m_views, *m_samples;
    PlaceholderPanel* m_empty;
    PhotoLatentView* m_photo;
    TextLatentView* m_text;
    TokenLatentModel* m_tokenModel;
    MissedLatentModel* m_missedModel;
    CopyableTableView *m_tokenTable, *m_missedTable;
    QTabWidget* m_tables;
    PhotoModel* m_photoModel;
    PhotoStrip* m_strip;
    QListWidget* m_pieces;
};

} // namespace tamis::views

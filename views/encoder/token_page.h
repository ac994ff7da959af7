// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/encoder_report.h"
#include "views/common/figure.h"

#include <QWidget>

#include <cstdint>
#include <memory>

class QLabel;
class QPushButton;
class QSlider;
class QSpinBox;

namespace tamis::views {

class CoarseExactView;

/// One token at a time: its exact set beside the coarse order, with a way to walk through the tokens and to the one that lost most.
class TokenPage : public QWidget {
    Q_OBJECT
public:
    explicit TokenPage(QWidget* parent = nullptr);

    void setTokens(std::int64_t count);
    void setToken(std::int64_t token); ///< no tokenChosen
    std::int64_t token() const;
    void setCertificate(const QString& text); ///< what is certain of the token's set; empty: the method says nothing of it
    void setWorst(std::int64_t token, double recall); ///< -1: none; offered as a jump
    void setRanking(std::shared_ptr<const report::TokenRanking> ranking);
    void setCut(std::int64_t cut);
    void setStale(bool stale);
    void setCaption(const QString& settings);
    CoarseExactView* view() const { return m_view; }

signals:
    void tokenChosen(qlonglong token); ///< by the user
    void cutMoved(qlonglong cut, bool finished);
    /// `figure` lives until the slot returns.
    void exportRequested(tamis::views::Figure* figure, tamis::views::FigureFormat format, const QString& name);

private:
    void choose(std::int64_t token);

    QSpinBox* m_number;
    QSlider* m_slider;
    QLabel *m_of, *m_certificate;
    QPushButton* m_worst;
    CoarseExactView* m_view;
    std::int64_t m_worstToken = -1;
    bool m_quiet = false;
};

} // namespace tamis::views

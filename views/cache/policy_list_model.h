// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QAbstractListModel>
#include <QString>
#include <QStringList>

#include <vector>

namespace tamis::views {

/// A policy as the lab offers it.
struct OfferedPolicy {
    QString id, title, reference;
    bool limit = false;  ///< always drawn: cannot be unticked
    QString warning;     ///< "looks at all that is held for each that leaves: minutes"; empty: none
};

/// Policies with a tick each.
class PolicyListModel : public QAbstractListModel {
    Q_OBJECT
public:
    enum Role { IdRole = Qt::UserRole + 1 };
    explicit PolicyListModel(QObject* parent = nullptr) : QAbstractListModel(parent) {}
    void setPolicies(const std::vector<OfferedPolicy>& policies); ///< none ticked but limits
    void setTicked(const QStringList& ids);                       ///< without a signal; limits stay
    QStringList ticked() const;                                   ///< in their order, limits too
    QModelIndex indexOf(const QString& id) const;                 ///< invalid: not there

    int rowCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role = Qt::DisplayRole) const override;
    bool setData(const QModelIndex& index, const QVariant& value, int role) override;
    Qt::ItemFlags flags(const QModelIndex& index) const override;

signals:
    void tickedEdited(const QStringList& ids); ///< by the user

private:
    std::vector<OfferedPolicy> m_policies;
    std::vector<bool> m_ticked;
};

} // namespace tamis::views
